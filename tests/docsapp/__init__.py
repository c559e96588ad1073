"""The app in which the code of the README and the docs runs. It has no models until a page declares some."""
