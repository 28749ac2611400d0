// Eq. 4-8 as visatb/balancing/equations.py has them. A matrix holds C with D on its diagonal, row by row; `matrices` may hold
// many, one after the other. `on` are the indices of the groups that take part, `measured` says which of all groups
// have a C and D of their own.

function measuresOf(matrices, start, size, on, measured) {
  const at = (giver, receiver) => matrices[start + giver * size + receiver];
  const known = on.filter((group) => measured[group]);
  const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  const fill = (numbers, isKnown) => {
    const others = mean(numbers.filter((_, k) => isKnown(on[k])));
    return numbers.map((one, k) => (isKnown(on[k]) ? one : others));
  };
  const receivers = (giver) => known.filter((group) => group !== giver);
  const outward = on.map((giver) => mean(receivers(giver).map((receiver) => at(giver, receiver))));
  const inward = on.map((receiver) => mean(on.filter((giver) => giver !== receiver).map((giver) => at(giver, receiver))));
  const isMeasured = (group) => measured[group];
  return {
    outward: fill(outward, (group) => receivers(group).length > 0),
    inward: fill(inward, isMeasured),
    difficulty: fill(on.map((group) => at(group, group)), isMeasured),
  };
}

function balanced(values, temperature) {
  const highest = Math.max(...values);
  const shares = values.map((value) => Math.exp((value - highest) / temperature));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => (values.length * share) / sum);
}

function weightsOf({ outward, inward, difficulty }, alphas, temperature) {
  const parts = [outward, inward.map((value) => -value), difficulty].map((values) => balanced(values, temperature));
  return outward.map((_, group) => alphas.reduce((sum, alpha, part) => sum + alpha * parts[part][group], 0));
}

// The lowest temperature of the grid that keeps every weight in the range, or null.
function lowestTemperature(measures, alphas, { temperatures, weightRange: [low, high], rounding }) {
  const fits = (temperature) =>
    weightsOf(measures, alphas, temperature).every((weight) => weight >= low - rounding && weight <= high + rounding);
  return temperatures.find(fits) ?? null;
}

// A percentile of sorted numbers, interpolated linearly between neighbours as numpy does.
function percentile(sorted, percent) {
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

function intervalsOf(replicates, alphas, temperature, bounds) {
  const drawn = replicates[0].outward.map(() => new Float64Array(replicates.length));
  replicates.forEach((measures, replicate) => {
    weightsOf(measures, alphas, temperature).forEach((weight, group) => { drawn[group][replicate] = weight; });
  });
  return drawn.map((weights) => weights.sort()).map((sorted) => bounds.map((percent) => percentile(sorted, percent)));
}

// C_out, C_in and D of these groups: the point estimate and each replicate.
function measured(data, on) {
  const size = data.groups.length;
  const isMeasured = data.groups.map((group) => group.measured);
  const { values } = data.replicates;
  const starts = Array.from({ length: values.length / (size * size) }, (_, replicate) => replicate * size * size);
  return {
    on,
    point: measuresOf(data.matrix, 0, size, on, isMeasured),
    replicates: starts.map((start) => measuresOf(values, start, size, on, isMeasured)),
  };
}

// All that is shown for one choice of settings. `temperature` is a number or "auto".
function whatIf(data, { on, point, replicates }, temperature, alphas) {
  const automatic = lowestTemperature(point, alphas, data);
  const used = temperature === "auto" ? (automatic ?? Math.max(...data.temperatures)) : temperature;
  const weights = weightsOf(point, alphas, used);
  const intervals = intervalsOf(replicates, alphas, used, data.interval);
  const groups = on.map((group, k) => ({
    group,
    weight: weights[k],
    low: intervals[k][0],
    high: intervals[k][1],
    outward: point.outward[k],
    inward: point.inward[k],
    difficulty: point.difficulty[k],
  }));
  return { automatic, temperature: used, groups };
}

// Why no weights can be computed for these groups; null if they can.
function whyNot(data, on) {
  if (on.length < 2) return "Weights compare groups: switch on at least two.";
  if (!on.some((group) => data.groups[group].measured)) {
    return "None of these groups was measured: switch on one that was.";
  }
  return null;
}
