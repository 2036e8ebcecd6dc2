// Sources of RandomCutForest follow.
