// Sources of Codecs follow.
