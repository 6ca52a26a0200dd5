import { parseAllDocuments } from "yaml";
import type { Application } from "../components/applications";
import { render } from "./render";
import type { StackSettings } from "./stack";

/** Host names of the Ingresses in a stream of YAML documents. */
function hostsIn(text: string): string[] {
    return parseAllDocuments(text).flatMap((document) => {
        const { kind, spec } = Object(document.toJS());
        const rules: readonly { readonly host?: string }[] = kind === "Ingress" ? (spec?.rules ?? []) : [];
        return rules.flatMap(({ host }) => host ?? []);
    });
}

/**
 * Host names under the home's domain that Ingresses of Applications have, each with the name of its Application.
 * Upstream charts, which would have to be downloaded, are not rendered.
 *
 * @param root the checkout whose charts are rendered
 */
export async function ingressHosts(
    root: string,
    applications: readonly Application[],
    settings: StackSettings,
): Promise<ReadonlyMap<string, string>> {
    const rendered = await Promise.all(
        applications.map(async ({ name, manifest, ...rest }) => {
            const [chart] = manifest.spec.sources;
            const ownChart = { ...manifest, spec: { ...manifest.spec, sources: [chart] as [typeof chart] } };
            const text = await render(root, { ...rest, name, manifest: ownChart }, settings);
            return hostsIn(text).map((host) => [host.replace(`.${settings.domain}`, ""), name] as const);
        }),
    );
    return new Map(rendered.flat());
}
