-- No statement is logged: it could hold the password.
SET log_min_error_statement = panic;
SET log_statement = none;
SET log_min_duration_statement = -1;
\getenv password POSTGRES_PASSWORD
ALTER ROLE postgres PASSWORD :'password';
