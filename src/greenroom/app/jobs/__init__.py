"""Jobs: their definitions, the queue, the executions, their logs and schedules."""
