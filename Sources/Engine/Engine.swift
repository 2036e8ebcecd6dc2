// Sources of Engine follow.
