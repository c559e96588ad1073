"""Billing: invoices, contracts and expense reports."""
