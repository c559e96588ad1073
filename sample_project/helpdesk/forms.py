"""What some events of a ticket ask for."""

from typing import Any

from django import forms

CAUSES = [
    ("", "Not known"),
    ("product", "Our product"),
    ("other_software", "Other software"),
    ("hardware", "Hardware"),
    ("operation", "Operation"),
]


class NotedForm(forms.Form):
    """Asks for what the recorded log does not have, so nothing is required. What was left empty is not logged."""

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        return {name: value for name, value in given.items() if value not in ("", None)}


class SeriousnessForm(forms.Form):
    """The codes are those of the anonymised log."""

    seriousness = forms.IntegerField(min_value=1, max_value=4, help_text="A code from 1 to 4.")


class WaitForm(NotedForm):
    reason = forms.CharField(
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What do you wait for?",
    )


class SolutionForm(NotedForm):
    solution = forms.CharField(
        min_length=20,
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="At least 20 characters. Goes into the log.",
    )
    cause = forms.ChoiceField(choices=CAUSES, required=False)
    minutes = forms.IntegerField(label="Minutes spent", min_value=1, max_value=6000, required=False)


class ReopenForm(forms.Form):
    reason = forms.CharField(max_length=500, widget=forms.Textarea, help_text="What is still wrong?")
