const units = { MB: 1e6, GB: 1e9, TB: 1e12 } as const;

/** The bytes of a size as vendors state it: "4TB" is 4 000 000 000 000. */
export function bytes(size: string): number {
    const unit = size.slice(-2) as keyof typeof units;
    return Math.round(Number.parseFloat(size) * units[unit]);
}
