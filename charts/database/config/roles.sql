-- Creates what is missing and sets every password; running it again changes nothing.
-- psql reads the passwords from files, so that they are in no command line.
{{- range $name, $database := .Values.databases }}

\set name {{ $name }}
\set password `cat /run/passwords/{{ $name }}-password`
SELECT format('CREATE ROLE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
{{- with ($database | default dict).extensions }}
\connect :name
{{- range . }}
CREATE EXTENSION IF NOT EXISTS {{ . }} CASCADE;
{{- end }}
\connect postgres
{{- end }}
{{- end }}
