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

/** Names that the edge serves; none in a home without one, undefined where it cannot be asked. */
export async function readEdgeNames(kubectl: Kubectl): Promise<readonly string[] | undefined> {
    const edge = ["--namespace", "pangolin"];
    if (
        (await kubectl.run(["get", "statefulset", "gerbil", ...edge, "--ignore-not-found", "--output", "name"])) === ""
    ) {
        return [];
    }
    // As the edge's Traefik asks: through the same pod.
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

/** Access to a name, and what is wrong with it. */
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
            "its chart says public, and the edge does not serve it: `kubectl -n pangolin logs deploy/publisher`";
        return { access: "closed", problems: [problem] };
    }
    return served.includes(name)
        ? {
              access: "undeclared",
              problems: [
                  "it is open on the Internet, and its chart does not say so: docs/runbooks/OpenWithoutChart.md",
              ],
          }
        : { access: "closed", problems: [] };
}
