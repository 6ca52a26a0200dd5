import { Failure } from "../lib/failure";
import type { HomeName } from "./home-names";
import type { Kubectl } from "./kubectl";

/** Access from the Internet to a name. */
export type Access = "closed" | "login" | "open" | "undeclared" | "unknown";

/** Names in the configuration that Pangolin gives to the edge's Traefik. */
export function edgeNames(configuration: string): string[] {
    const { http } = JSON.parse(configuration) as {
        readonly http?: { readonly routers?: Readonly<Record<string, { readonly rule: string }>> };
    };
    const rules = Object.values(http?.routers ?? {}).map(({ rule }) => rule);
    const names = rules.flatMap((rule) => [...rule.matchAll(/\bHost(?:Regexp)?\(`([^`]+)`\)/g)]);
    return [...new Set(names.map(([, name = ""]) => name.toLowerCase()))].sort();
}

/** Names that the edge serves; empty in a home without one, undefined if it cannot be queried. */
export async function readEdgeNames(kubectl: Kubectl): Promise<readonly string[] | undefined> {
    const edge = ["--namespace", "pangolin"];
    if (
        (await kubectl.run(["get", "statefulset", "gerbil", ...edge, "--ignore-not-found", "--output", "name"])) === ""
    ) {
        return [];
    }
    // Queried through the same pod as the edge's Traefik does.
    const ask = ["wget", "-q", "-T", "5", "-O", "-", "http://pangolin:3001/api/v1/traefik-config"];
    try {
        return edgeNames(await kubectl.run(["exec", "gerbil-0", ...edge, "--container", "log-limit", "--", ...ask]));
    } catch (error) {
        if (error instanceof Failure || error instanceof SyntaxError) {
            return undefined;
        }
        throw error;
    }
}

/** Access to a name, and its problems. */
export function accessTo(
    { name, login, object }: Pick<HomeName, "name" | "login" | "object">,
    served: readonly string[] | undefined,
): { readonly access: Access; readonly problems: readonly string[] } {
    const declared = login === "none" ? "open" : "login";
    if (served === undefined) {
        return { access: "unknown", problems: [] };
    }
    // Pangolin's own pages need no route of Pangolin's.
    if (login !== undefined && (served.includes(name) || object === "pangolin/pangolin")) {
        return { access: declared, problems: [] };
    }
    if (login !== undefined) {
        const problem =
            "its chart has `public: true`, but the edge does not serve it: `kubectl -n pangolin logs deploy/publisher`";
        return { access: "closed", problems: [problem] };
    }
    return served.includes(name)
        ? {
              access: "undeclared",
              problems: [
                  "it is open on the Internet, but its chart does not have `public: true`: docs/runbooks/OpenWithoutChart.md",
              ],
          }
        : { access: "closed", problems: [] };
}
