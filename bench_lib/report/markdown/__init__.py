"""The leaderboard as Markdown."""
