// Sources of StreamSQL follow.
