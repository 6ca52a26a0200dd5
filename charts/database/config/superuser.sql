-- A statement that fails is not logged: it could hold the password.
SET log_min_error_statement = panic;
\getenv password POSTGRES_PASSWORD
ALTER ROLE postgres PASSWORD :'password';
