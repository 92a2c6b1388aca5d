"""The two queues on Redis: one on a stream with a consumer group, one on lists."""
