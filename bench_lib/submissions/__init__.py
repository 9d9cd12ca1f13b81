"""Submissions to the leaderboard: a technique's file with its runs in one archive, and its verification."""
