"""Amazon SNS: e-mails become files in the mailbox."""
