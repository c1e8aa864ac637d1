"""What tests share: servers, the sample database, dumps."""
