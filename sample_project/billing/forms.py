"""What some events ask for."""

from django import forms


class PaymentForm(forms.Form):
    paid_on = forms.DateField(help_text="The day the money arrived.")


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=500, widget=forms.Textarea, help_text="Kept in the log.")
