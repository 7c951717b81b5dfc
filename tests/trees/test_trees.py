"""Trees against DendroPy, and against distances that a tree can represent exactly."""

import io

import dendropy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.trees import average_linkage, dissimilarity, neighbour_joining, to_newick, to_nexus

NAMES = [
    "it's; a (b)",
    "山歌 ŋɑ˧",
    "שלום עולם",
    "a_b",
    "A_B",
    "12",
    "[x]:y,z",
    " ",
    "tab\there\n",
    'quo"te',
    "",
    "a  b",
    "''",
]


def additive_distances(random, count):
    """Return the distances along a random tree that grows by splitting a random branch."""
    edges, n_nodes = [(0, 1)], 2
    leaves = [0, 1]
    while len(leaves) < count:
        a, b = edges.pop(random.integers(len(edges)))
        inner, leaf = n_nodes, n_nodes + 1
        n_nodes += 2
        edges += [(a, inner), (b, inner), (inner, leaf)]
        leaves.append(leaf)
    distance = np.full((n_nodes, n_nodes), np.inf)
    np.fill_diagonal(distance, 0)
    for a, b in edges:
        distance[a, b] = distance[b, a] = random.uniform(0.05, 1)
    for middle in range(n_nodes):
        distance = np.minimum(distance, distance[:, [middle]] + distance[[middle]])
    return distance[np.ix_(leaves, leaves)]


def read(text, schema="newick"):
    # Names are compared as they are; underscores are no spaces within quotes.
    return dendropy.Tree.get(data=text, schema=schema, case_sensitive_taxon_labels=True)


def path_lengths(tree, names):
    matrix = tree.phylogenetic_distance_matrix()
    taxa = {taxon.label: taxon for taxon in tree.taxon_namespace}
    return np.array([[matrix.patristic_distance(taxa[a], taxa[b]) for b in names] for a in names])


def dendropy_matrix(distance, names):
    rows = [
        "," + ",".join(names),
        *(f"{name}," + ",".join(map(str, row)) for name, row in zip(names, distance, strict=True)),
    ]
    return dendropy.PhylogeneticDistanceMatrix.from_csv(io.StringIO("\n".join(rows)), delimiter=",")


@pytest.mark.parametrize("count", [3, 4, 7, 25])
def test_neighbour_joining_recovers_additive_distances(count):
    random = np.random.default_rng(count)
    distance = additive_distances(random, count)
    names = [f"t{number}" for number in range(count)]
    tree = read(to_newick(neighbour_joining(distance), names))
    np.testing.assert_allclose(path_lengths(tree, names), distance, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_trees_have_the_splits_that_dendropy_finds(seed):
    random = np.random.default_rng(seed)
    distance = additive_distances(random, 12) + 0.05 * random.random((12, 12))
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    names = [f"t{number}" for number in range(12)]
    matrix = dendropy_matrix(distance, names)
    for make, expected in ((neighbour_joining, matrix.nj_tree()), (average_linkage, matrix.upgma_tree())):
        ours = read(to_newick(make(distance), names))
        assert splits(ours, names) == splits(expected, names)
    np.testing.assert_allclose(path_lengths(ours, names), path_lengths(expected, names), atol=1e-5)


def splits(tree, names):
    """Return the two sides of every branch that parts more than one leaf from the others."""
    below = [frozenset(leaf.taxon.label for leaf in node.leaf_nodes()) for node in tree.preorder_node_iter()]
    parts = {frozenset([side, frozenset(names) - side]) for side in below if 1 < len(side) < len(names) - 1}
    assert len(parts) == len(names) - 3
    return parts


@given(st.integers(0, 2**32 - 1), st.integers(3, 12), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_branches_are_never_negative_and_every_leaf_is_there(seed, count, levels):
    # Few distinct distances make ties.
    distance = np.random.default_rng(seed).integers(0, levels + 1, (count, count)) / 10.0
    distance = np.triu(distance, 1) + np.triu(distance, 1).T
    for tree in (neighbour_joining(distance), average_linkage(distance)):
        assert tree.length.min() >= 0
        assert sorted(tree.leaves) == list(range(count))
        assert sorted(child for children in tree.children for child in children) == list(range(len(tree.length) - 1))


def test_average_linkage_is_ultrametric():
    distance = additive_distances(np.random.default_rng(1), 9)
    depth = average_linkage(distance).depth[:9]
    np.testing.assert_allclose(depth, depth[0])


def test_names_survive_both_formats():
    distance = additive_distances(np.random.default_rng(3), len(NAMES))
    trees = {"average_linkage": average_linkage(distance), "neighbour_joining": neighbour_joining(distance)}
    nexus = to_nexus(trees, NAMES, distance, comment="of [x] and\n(y")
    expected = {"it's; a (b)", "山歌 ŋɑ˧", "שלום עולם", "a_b", "A_B (2)", "no. 12", "[x]:y,z", "unnamed", "tab here"}
    expected |= {'quo"te', "unnamed (2)", "a  b", "''"}
    for text, schema in ((to_newick(trees["average_linkage"], NAMES), "newick"), (nexus, "nexus")):
        for tree in dendropy.TreeList.get(data=text, schema=schema):
            assert {leaf.taxon.label for leaf in tree.leaf_nodes()} == expected
            assert len(tree.taxon_namespace) == len(NAMES)
    (linkage, joined) = dendropy.TreeList.get(data=nexus, schema="nexus")
    assert (linkage.is_rooted, joined.is_rooted) == (True, False)
    assert [linkage.label, joined.label] == ["average linkage", "neighbour joining"]


def test_a_tree_as_deep_as_it_has_leaves_is_written():
    count = 3000
    position = np.cumsum(1.1 ** -np.arange(12.0))
    distance = np.abs(position[:, None] - position)
    assert to_newick(average_linkage(distance), [str(n) for n in range(12)]).count("(") == 11
    from abxfast.trees import Tree

    children = tuple((count + number - 1 if number else 0, number + 1) for number in range(count - 1))
    deep = Tree(count, children, np.ones(2 * count - 1), rooted=True)
    assert to_newick(deep, ["x"] * count).count("(") >= count - 1
    assert len(deep.leaves) == count
    assert deep.depth.max() == count - 1


def test_missing_pairs_get_the_mean_and_scores_below_chance_no_distance():
    score = np.array([[np.nan, 0.4, 0.7], [0.4, np.nan, np.nan], [0.7, np.nan, np.nan]])
    np.testing.assert_allclose(dissimilarity(score), [[0, 0, 0.2], [0, 0, 0.1], [0.2, 0.1, 0]])
