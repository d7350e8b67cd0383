"""Amazon Timestream for LiveAnalytics: DuckDB answers its queries."""
