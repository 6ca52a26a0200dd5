import { posix } from "node:path";

/**
 * Annotation of an Application with the paths whose commits Argo CD renders it for.
 * https://argo-cd.readthedocs.io/en/stable/operator-manual/high_availability/#manifest-paths-annotation
 */
export const generatePaths = "argocd.argoproj.io/manifest-generate-paths";

/**
 * Paths of the annotation from the repository's top folder, as Argo CD resolves them; "" is the whole repository.
 *
 * @param source path of the chart that relative paths start from
 */
export function resolvedPaths(annotation: string, source: string): string[] {
    return annotation.split(";").map((path) => posix.resolve("/", source, path.trim()).slice(1));
}
