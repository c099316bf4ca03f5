"""What every module stands on: no domain knowledge lives here."""
