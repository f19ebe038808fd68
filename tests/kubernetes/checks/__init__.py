"""The checks. The name of each is the sentence that it proves."""
