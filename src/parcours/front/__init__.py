"""The front page of the platform: what was asked, what came out, what runs; made of the root's files on request."""
