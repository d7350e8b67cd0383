"""What a change of templates makes possible: the command, and the policies that it compares."""
