"""What some events of a ticket ask for."""

from django import forms


class SeriousnessForm(forms.Form):
    """The codes are those of the anonymised log."""

    seriousness = forms.IntegerField(min_value=1, max_value=4, help_text="A code from 1 to 4.")


class ReopenForm(forms.Form):
    reason = forms.CharField(max_length=500, widget=forms.Textarea, help_text="What is still wrong?")
