/** Last known change of a key of a Secret. */
export interface KeyChange {
    /** First characters of the SHA-256 of its value. */
    readonly digest: string;
    /** When it changed, in milliseconds since 1970; 0 when every consumer runs with this value. */
    readonly time: number;
}

/**
 * Changes in a Secret since the last comparison.
 *
 * @param before result of the last comparison; undefined for the first, which finds no change
 * @param digests of the current values, by key
 * @param time of the Secret's last change, in milliseconds since 1970
 */
export function observedChanges(
    before: Readonly<Record<string, KeyChange>> | undefined,
    digests: Readonly<Record<string, string>>,
    time: number,
): Record<string, KeyChange> {
    return Object.fromEntries(
        Object.entries(digests)
            .sort(([a], [b]) => a.localeCompare(b, "en"))
            .map(([key, digest]) => {
                const known = before?.[key];
                if (known?.digest === digest) {
                    return [key, known];
                }
                return [key, { digest, time: before === undefined ? 0 : time }];
            }),
    );
}

interface SecretItems {
    readonly items?: readonly { readonly key: string }[];
}

/** Parts of a pod's spec that name Secrets. */
export interface SecretUser {
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly {
        readonly secret?: SecretItems & { readonly secretName?: string };
        readonly projected?: {
            readonly sources?: readonly { readonly secret?: SecretItems & { readonly name?: string } }[];
        };
    }[];
}

interface Container {
    readonly env?: readonly {
        readonly valueFrom?: { readonly secretKeyRef?: { readonly name?: string; readonly key: string } };
    }[];
    readonly envFrom?: readonly { readonly secretRef?: { readonly name?: string } }[];
}

/**
 * The keys of a Secret that a pod uses.
 *
 * @param keys all keys of the Secret
 */
export function keysUsed(pod: SecretUser | undefined, secret: string, keys: readonly string[]): string[] {
    const used = new Set<string>();
    const use = (some: readonly string[] | undefined) => {
        for (const key of some ?? keys) {
            used.add(key);
        }
    };
    for (const { env = [], envFrom = [] } of [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])]) {
        for (const { valueFrom } of env) {
            if (valueFrom?.secretKeyRef?.name === secret) {
                use([valueFrom.secretKeyRef.key]);
            }
        }
        if (envFrom.some(({ secretRef }) => secretRef?.name === secret)) {
            use(undefined);
        }
    }
    for (const volume of pod?.volumes ?? []) {
        const projected = volume.projected?.sources?.map((each) => each.secret) ?? [];
        for (const source of [volume.secret && { ...volume.secret, name: volume.secret.secretName }, ...projected]) {
            if (source?.name === secret) {
                use(source.items?.map(({ key }) => key));
            }
        }
    }
    return keys.filter((key) => used.has(key));
}
