import { readApplications } from "../../components/applications";
import type { ClusterFacts } from "../../components/cluster";
import { clusterValues } from "../../components/overrides";
import { type Manifest, parseManifests } from "../manifests";
import { render } from "../render";
import type { StackSettings } from "../stack";
import type { Home } from "./home";
import type { Model } from "./model";
import { type Rollout, rolloutOf } from "./rollout";

/** Objects of an Application, as its chart renders them for a home. */
export interface Rendered {
    readonly manifests: readonly Manifest[];
    /** Namespace of objects that name none. */
    readonly namespace: string;
}

/**
 * Renders Applications of a checkout with the values that they get in a home.
 *
 * @param names those to render; others are ignored
 */
export async function renderCheckout(
    root: string,
    settings: StackSettings,
    facts: ClusterFacts | undefined,
    names: readonly string[],
): Promise<Rendered[]> {
    const applications = readApplications(root, settings.cluster);
    const values = clusterValues(root, settings, applications, facts);
    const chosen = applications.filter(({ name }) => names.includes(name));
    return Promise.all(
        chosen.map(async (application) => ({
            manifests: parseManifests(await render(root, application, settings, values)),
            namespace: application.namespace,
        })),
    );
}

/** The rollout of several Applications at once. */
export async function rolloutOfAll(model: Model, home: Home, all: readonly Rendered[]): Promise<Rollout> {
    const rollouts: Rollout[] = [];
    for (const { manifests, namespace } of all) {
        rollouts.push(await rolloutOf(model, home, manifests, namespace));
    }
    return {
        pods: rollouts.flatMap(({ pods }) => pods),
        claims: rollouts.flatMap(({ claims }) => claims),
        replaced: rollouts.flatMap(({ replaced }) => replaced),
        evicted: rollouts.flatMap(({ evicted }) => evicted),
    };
}
