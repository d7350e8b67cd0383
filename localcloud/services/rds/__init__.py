"""Amazon RDS: a database server behind each instance."""
