"""Everything there is to measure, for any model: loaded, shown images, measured group by group, compared, reported."""
