"""Amazon EventBridge Scheduler: schedules that call their targets."""
