"""What a configuration comes to: plans, and the settings of those who judge."""
