"""The cloud itself: starting and stopping one, its state on the disk, its processes, its certificates."""
