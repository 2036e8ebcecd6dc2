// Sources of Dataflow follow.
