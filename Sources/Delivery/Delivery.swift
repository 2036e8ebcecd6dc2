// Sources of Delivery follow.
