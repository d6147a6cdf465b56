"""The main job on real records: airports in over HTTP, out of the replica, with the primary killed on the way."""
