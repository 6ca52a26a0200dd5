import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SandboxPaths } from "./paths";

/** Applications that Argo CD's repo server has rendered, in order, once for each time, from its log. */
export function renderedApplications({ logs }: SandboxPaths): string[] {
    const log = readFileSync(join(logs, "argocd-repo-server.log"), "utf8");
    return [...log.matchAll(/"setting manifests cache".* application=(\S+)/g)].map(([, name = ""]) => name);
}
