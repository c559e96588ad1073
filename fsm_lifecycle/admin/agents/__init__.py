"""The pages of agents in the admin's lifecycle section: overview, explorer and tester, chat, runs, proposals."""
