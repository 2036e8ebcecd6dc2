// Sources of Alerting follow.
