import { z } from "zod";
import { isLine, isText, longest } from "../lib/characters";

/** A URL of HTTP or HTTPS that every parser reads the same way. */
function isHttpUrl(text: string): boolean {
    if (!isLine(text) || !/^https?:\/\/[\w.~:/?#[\]@!$&'()*+,;=%-]+$/.test(text) || !URL.canParse(text)) {
        return false;
    }
    const { username, password, pathname, search, hash } = new URL(text);
    // Parsers resolve a path with "..", for instance, in different ways; a webhook is matched by its exact text.
    const asWritten = pathname === "/" || (text.endsWith(pathname) && !pathname.endsWith("/"));
    return asWritten && [username, password, search, hash].every((part) => part === "");
}

/** Reports whether a path begins at the top and stays where it leads. */
function isAbsolutePath(text: string): boolean {
    return isLine(text) && /^\/\S*$/.test(text) && !text.split("/").includes("..");
}

/** JavaScript finds inherited properties in every object, so their names are rejected. */
export const isNoProperty = (name: string) => !(name in {});

/**
 * A string of a form.
 * @param form the expected form, in words
 */
export const matching = (pattern: RegExp, form: string) => z.string(form).regex(pattern, form);

/** A string on one line; not empty. */
export const lineOf = (what: string) =>
    z.string(what).min(1, what).refine(isLine, `${what}, on one line of at most ${longest} characters`);

/** A string of any number of lines; not empty. */
export const textOf = (what: string) =>
    z.string(what).min(1, what).refine(isText, `${what}, of at most ${longest} characters and without a NUL`);

const url = 'a URL that starts with "https://" or "http://", without an account, a query, spaces or a slash at its end';

/** A URL of HTTP or HTTPS. */
export const httpUrl = z.string(url).refine(isHttpUrl, url);

const repositoryForm =
    "the URL by which the repository is cloned, without the pages of it that a browser shows: " +
    '"https://git.example.com/home/hearth.git"';

/** Parts of a path below a repository's own, in the web pages of Gitea, GitHub and GitLab. */
const pages =
    /^(-|tree|blob|blame|raw|src|commits?|branches|pulls?|merge_requests|issues|releases|archive|settings|actions|wiki)$/;

/** A URL by which Git clones. */
export const repositoryUrl = httpUrl.refine((text) => {
    if (!isHttpUrl(text)) {
        return true; // Refused already.
    }
    const [, ...parts] = new URL(text).pathname.split("/");
    return parts[0] !== "" && (text.endsWith(".git") || !parts.slice(2).some((part) => pages.test(part)));
}, repositoryForm);

const path = 'an absolute path without spaces and "..", for instance "/export/media"';

/** An absolute path. */
export const absolutePath = z.string(path).refine(isAbsolutePath, path);

const urlOrDirectory = "a URL without a slash at its end, or the absolute path of a directory on the nodes";

/** A URL, or an absolute path. */
export const urlOrPath = z
    .string(urlOrDirectory)
    .refine((text) => isHttpUrl(text) || isAbsolutePath(text), urlOrDirectory);

/**
 * A form that a function checks.
 * @param mistake the expected form; undefined for a valid string
 */
export const checked = (form: string, mistake: (text: string) => string | undefined) =>
    z.string(form).check(({ value, issues }) => {
        const expected = mistake(value);
        if (expected !== undefined) {
            issues.push({ code: "custom", input: value, message: expected });
        }
    });
