"""Reports of a gate or a comparison for other programs: JUnit, Markdown, annotations, SVG."""
