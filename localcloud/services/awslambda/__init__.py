"""AWS Lambda: functions run as processes of this machine, and event sources reach them."""
