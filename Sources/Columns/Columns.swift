// Sources of Columns follow.
