"""What tests share: toys whose answer is known, small studies, stand-ins of servers."""
