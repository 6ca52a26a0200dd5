import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { gitEnvironment } from "./git-repository";
import { type Closeable, serveOnLoopback } from "./http-server";
import type { SandboxPaths } from "./paths";
import { portInUse, type SandboxSettings } from "./settings";

/** Meta-variables of a request, as the CGI standard defines them. */
function environment(paths: SandboxPaths, request: IncomingMessage, url: URL): NodeJS.ProcessEnv {
    const header = (name: string) => {
        const value = request.headers[name];
        return value === undefined ? {} : { [`HTTP_${name.toUpperCase().replaceAll("-", "_")}`]: String(value) };
    };
    const { "content-type": type, "content-length": length, "git-protocol": protocol } = request.headers;
    return {
        ...gitEnvironment(),
        ...header("content-encoding"),
        GIT_PROJECT_ROOT: paths.git,
        GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method ?? "GET",
        REMOTE_ADDR: "127.0.0.1",
        CONTENT_TYPE: type ?? "",
        ...(length === undefined ? {} : { CONTENT_LENGTH: length }),
        ...(protocol === undefined ? {} : { GIT_PROTOCOL: String(protocol) }),
    };
}

/** Passes one request to `git http-backend`, and its answer back. */
function serveGit(paths: SandboxPaths, request: IncomingMessage, response: ServerResponse, url: URL): void {
    const backend = spawn("git", ["http-backend"], {
        env: environment(paths, request, url),
        stdio: ["pipe", "pipe", "inherit"],
    });
    const fail = () => {
        if (!response.headersSent) {
            response.writeHead(500);
        }
        response.end();
    };
    backend.on("error", fail);
    backend.stdin.on("error", () => {});
    request.pipe(backend.stdin);
    response.on("close", () => backend.kill());
    let head = Buffer.alloc(0);
    const readHead = (chunk: Buffer) => {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) {
            return;
        }
        backend.stdout.off("data", readHead);
        const headers = head
            .subarray(0, end)
            .toString("latin1")
            .split("\r\n")
            .map((line): [string, string] => {
                const colon = line.indexOf(":");
                return [line.slice(0, colon), line.slice(colon + 1).trim()];
            });
        const status = headers.find(([name]) => name.toLowerCase() === "status");
        response.writeHead(
            Number(status?.[1].slice(0, 3) ?? 200),
            Object.fromEntries(headers.filter((each) => each !== status)),
        );
        response.write(head.subarray(end + 4));
        backend.stdout.pipe(response);
    };
    backend.stdout.on("data", readHead);
    backend.on("close", () => (response.headersSent ? response.end() : fail()));
}

/**
 * Serves the sandbox's repository over HTTP, to read and to push, on loopback.
 *
 * @throws Failure when the port is in use
 */
export function serveRepository(paths: SandboxPaths, settings: SandboxSettings): Promise<Closeable> {
    const prefix = `/${settings.repository}/`;
    return serveOnLoopback(
        settings.gitPort,
        () => portInUse(settings.gitPort, "hearth:repository.url"),
        (request, response) => {
            const url = new URL(request.url ?? "/", "http://127.0.0.1");
            if (url.pathname.startsWith(prefix)) {
                serveGit(paths, request, response, url);
            } else {
                response.writeHead(404).end(`The sandbox only serves ${settings.repository} here.\n`);
            }
        },
    );
}
