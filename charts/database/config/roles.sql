-- Creates what is missing, sets every password and updates extensions; running it again changes nothing.
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
-- A newer image has newer extensions. The apps do not own them and cannot update them, and Immich does not start then.
-- VectorChord asks for its indexes to be built again after an update.
CREATE TEMPORARY TABLE before AS SELECT oid, extversion FROM pg_extension;
SELECT format('ALTER EXTENSION %I UPDATE', extname) FROM pg_extension ORDER BY oid \gexec
SELECT format('REINDEX INDEX %s', index.oid::regclass)
  FROM pg_class index
  JOIN pg_depend ON classid = 'pg_am'::regclass AND objid = index.relam AND deptype = 'e'
  JOIN pg_extension extension ON refobjid = extension.oid
  JOIN before ON before.oid = extension.oid AND before.extversion <> extension.extversion
  WHERE index.relkind = 'i' \gexec
\connect postgres
{{- end }}
{{- end }}
