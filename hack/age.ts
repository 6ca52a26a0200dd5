const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
] as const;

/**
 * Age of a time in its largest unit: "45s", "12m", "3h", "8d".
 *
 * @param time as Kubernetes writes it (RFC 3339)
 */
export function formatAge(time: string): string {
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1_000));
    const [unit, length] = units.find((each) => seconds >= 2 * each[1]) ?? ["s", 1];
    return `${Math.floor(seconds / length)}${unit}`;
}
