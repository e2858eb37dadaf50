"""What a build did, for people: an account in numbers and a contact sheet."""
