// Sources of Kafka follow.
