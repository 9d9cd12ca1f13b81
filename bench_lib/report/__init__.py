"""From stored runs to a leaderboard: tables and figures are pure, `render` alone writes."""
